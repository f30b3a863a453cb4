"""Everything that touches a private name of TRL or transformers.

The rest of `train` uses the public names of these modules. When TRL moves, this is the one place to
change; `tests/train/test_trl_contract.py` says which name it was.
"""
