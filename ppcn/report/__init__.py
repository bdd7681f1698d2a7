"""The HTML report, and pictures that let a person judge pairs and networks."""
