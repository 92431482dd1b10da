"""What a codec's streams hold and cost: the numbers and pictures behind its design, for papers and tuning."""
