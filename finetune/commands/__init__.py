"""One module a command of `ragvoice finetune`: flags in, calls, output; heavy imports inside functions."""
