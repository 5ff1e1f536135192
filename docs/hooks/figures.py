"""Figures below the code that made them."""

import base64

from gammajax.plot.style import to_png


def html(figure, alt="figure"):
    """A matplotlib figure as an HTML image that holds its data, to be printed by the page."""
    data = base64.b64encode(to_png(figure, dpi=110)).decode()
    return f'<img class="figure" alt="{alt}" src="data:image/png;base64,{data}">'
