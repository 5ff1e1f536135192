"""Energy axes, circles and masks on the sky: plain numbers, no disk access."""
