"""Ask your company's documents aloud: grounded, cited, spoken answers."""
