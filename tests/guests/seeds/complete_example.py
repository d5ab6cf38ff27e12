# calculator_actor.py
"""
Calculator Actor - Demonstrates GenServer behavior (request-reply pattern).
See: examples/simple/wasm_calculator/actors/python/calculator_actor.py
"""

def handle_request(from_actor: str, message_type: str, payload: bytes) -> bytes:
    """
    GenServer behavior - request-reply pattern.
    Returns response synchronously.
    """
    import json
    
    try:
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
        
    except Exception as e:
        return json.dumps({'error': str(e)}).encode('utf-8')

def snapshot_state() -> bytes:
    """Snapshot state for checkpointing"""
    import json
    return json.dumps({'last_operation': None}).encode('utf-8')

# componentize-py expects an Actor class
class Actor:
    @staticmethod
    def handle_request(from_actor: str, message_type: str, payload: bytes) -> bytes:
        return handle_request(from_actor, message_type, payload)
    
    @staticmethod
    def snapshot_state() -> bytes:
        return snapshot_state()
