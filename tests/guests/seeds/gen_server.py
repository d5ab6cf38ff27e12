# calculator_actor.py - GenServer behavior
def handle_request(from_actor: str, message_type: str, payload: bytes) -> bytes:
    """
    GenServer behavior - request-reply pattern.
    MUST return a response (unlike handle_message which is fire-and-forget).
    """
    import json
    
    request = json.loads(payload.decode('utf-8'))
    operation = request.get('operation', '')
    operands = request.get('operands', [])
    
    # Perform calculation
    if operation == 'add':
        result = sum(operands)
    elif operation == 'multiply':
        result = 1
        for op in operands:
            result *= op
    else:
        return json.dumps({'error': f'Unknown operation: {operation}'}).encode('utf-8')
    
    # Return result (required for GenServer)
    return json.dumps({'result': result, 'operation': operation}).encode('utf-8')
