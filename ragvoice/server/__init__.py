"""The live voice door: an ASGI route that speaks OpenAI's Realtime API, mounted beside the page in one process."""
