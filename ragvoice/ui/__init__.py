"""The pages: widgets and session state. What they may do, and for whom, is decided by `ragvoice.desk`."""
