"""What you type: the commands and the tools behind them."""
