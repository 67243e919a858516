"""The contract of version 1 as it was released, and the rule that nothing but additions is made to it."""
