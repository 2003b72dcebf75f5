"""The catalogue: one record a slide, in a DynamoDB table, and the history of each beside it."""
