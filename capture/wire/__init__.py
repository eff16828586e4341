"""Between the messages of ``proto/capture/v1`` and our dataclasses, in both directions.

Total: every field and every enum value has its counterpart, and a test walks them all.
"""
