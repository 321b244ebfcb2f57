"""`python -m finetune`: says that fine-tuning is not built yet, and fails."""

import sys

if __name__ == "__main__":
    sys.exit(
        "Fine-tuning is not built yet; the README lists what works. An adapter trained elsewhere with PEFT can be "
        "used today: set llm_runtime = 'transformers' and adapter = FOLDER."
    )
