"""What a run costs: prices, budgets, and forecasts."""
