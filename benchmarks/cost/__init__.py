"""What the deployment costs: AWS's list prices, and the arithmetic from slides and tiles there."""
