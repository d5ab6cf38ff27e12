# tuplespace_calculator_actor.py
def handle_request(from_actor: str, message_type: str, payload: bytes) -> tuple[bytes, str | None]:
    """Use TupleSpace for distributed coordination"""
    import json
    
    request = json.loads(payload.decode('utf-8'))
    operation = request.get('operation', '')
    operands = request.get('operands', [])
    
    # Perform calculation
    result = sum(operands) if operation == 'add' else 0
    
    # Write result to TupleSpace (using WIT host function)
    # Note: Actual WIT binding would be: host.tuplespace_write(ctx, tuple_fields)
    tuple_fields = [
        {"string-val": "calculator_result"},
        {"string-val": operation},
        {"float-val": result},
        {"string-val": from_actor},
    ]
    # host.tuplespace_write(ctx, tuple_fields)  # Bound via WIT
    
    # Read results from other actors
    pattern = [
        {"exact": {"string-val": "calculator_result"}},
        {"any": None},  # Match any operation
        {"any": None},  # Match any result
    ]
    # results = host.tuplespace_read(ctx, pattern)  # Bound via WIT
    
    return json.dumps({'result': result, 'tuplespace_used': True}).encode('utf-8'), None
