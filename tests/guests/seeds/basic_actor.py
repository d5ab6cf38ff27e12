# calculator_actor.py
def handle_message(from_actor: str, message_type: str, payload: bytes) -> bytes:
    """Basic actor - handles messages asynchronously"""
    import json
    
    if message_type == "calculate":
        request = json.loads(payload.decode('utf-8'))
        result = request.get('a', 0) + request.get('b', 0)
        return json.dumps({'result': result}).encode('utf-8')
    
    return b'{"error": "unknown message type"}'
