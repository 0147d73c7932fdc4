"""`daybook finetune`: plan, train, compare and register; here, or at a provider."""
