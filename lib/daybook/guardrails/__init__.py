"""What is taken out of requests and answers on their way, and what is not let through."""
