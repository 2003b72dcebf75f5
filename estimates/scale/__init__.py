"""The scale of a deployment: a simulation of viewers and imports, compared with AWS's quotas."""
