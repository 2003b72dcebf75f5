"""How much the deployment can take: a simulation of viewers and imports, against AWS's quotas."""
