"""A page that shows scenes, their bytes and their errors: one HTML file that needs nothing else."""
