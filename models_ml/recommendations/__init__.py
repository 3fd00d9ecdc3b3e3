"""What to offer each customer next: habits, what is bought together and what sells, put into one order by one model."""
