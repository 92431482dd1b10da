"""Running the networks of weights: numpy in and out, so that whoever codes sections need not know how."""
