"""A low-rank adapter on a causal model: chats as tokens, the training, the comparison, llama.cpp's file."""
