"""Names of the parameters in the weights that the authors of the models published, and ours."""
