"""The cost of a deployment: AWS's list prices, and the arithmetic from slides to dollars."""
