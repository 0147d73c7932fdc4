"""What personal data is found in what is kept, and how well the finder works."""
