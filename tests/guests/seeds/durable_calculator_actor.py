# durable_calculator_actor.py
_calculator_state = {
    'last_operation': None,
    'last_result': 0.0,
    'operation_count': 0,
    'history': []
}

def init(initial_state: bytes) -> tuple[None, str | None]:
    """Initialize actor with persisted state (called on recovery)"""
    global _calculator_state
    if initial_state:
        import json
        _calculator_state = json.loads(initial_state.decode('utf-8'))
    return None, None

def handle_request(from_actor: str, message_type: str, payload: bytes) -> tuple[bytes, str | None]:
    """Handle requests - state is automatically journaled"""
    global _calculator_state
    import json
    
    request = json.loads(payload.decode('utf-8'))
    operation = request.get('operation', '')
    operands = request.get('operands', [])
    
    # Perform calculation
    result = sum(operands) if operation == 'add' else 0
    
    # Update state (automatically journaled by DurabilityFacet)
    _calculator_state['last_operation'] = operation
    _calculator_state['last_result'] = result
    _calculator_state['operation_count'] += 1
    _calculator_state['history'].append({'operation': operation, 'result': result})
    
    return json.dumps({'result': result, 'durable': True}).encode('utf-8'), None

def snapshot_state() -> tuple[bytes, str | None]:
    """Snapshot state for checkpointing"""
    global _calculator_state
    import json
    return json.dumps(_calculator_state).encode('utf-8'), None
