"""Loops that call services at their own pace, for as long as the process serves."""
