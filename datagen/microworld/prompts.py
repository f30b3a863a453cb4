"""The wording of the micro-world's prompts. Its models were trained on exactly these words."""

RATIONALE_SUFFIX = "\nLet's think step by step."
DIRECT_SUFFIX = "\nGive only the answer."
HINT_SUFFIX = "\nThe correct answer is {gold}. Explain step by step why."
ANSWER = "The answer is {answer}."
PLAIN_RATIONALE = "Q: {question}\nA: Let's think step by step."
