"""What a customer will buy and bring: purchases, value and P(alive) for 3, 6 and 12 months."""
