"""Parameters: fields of models, the table of decisions, its form as arrays, priors."""
