"""How fast posegraph is: what is compared, how a figure is taken, and the page that shows the results."""
