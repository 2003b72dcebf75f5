"""What signed-in people are told of changes while they look: messages of AppSync subscriptions."""
