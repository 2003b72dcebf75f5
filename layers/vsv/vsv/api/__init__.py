"""The application over HTTP and GraphQL: callers, requests, answers."""
