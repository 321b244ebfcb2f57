"""Whether an adapter helps: base and adapter on documents that the training never saw, and what may go into service."""
