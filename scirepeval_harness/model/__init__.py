"""What is evaluated with: models as data, their registry, and the encoders behind them."""
