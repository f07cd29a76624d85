"""The random transforms g, batched on the device."""
