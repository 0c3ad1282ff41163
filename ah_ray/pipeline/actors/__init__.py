"""What runs in the actors of the graph, and what passes between them."""
