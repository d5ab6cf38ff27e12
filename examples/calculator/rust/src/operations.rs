//! The arithmetic, with the operations and the error texts of `actors/calculator.py`.

/// The result, or a text for people.
pub(crate) fn calculate(operation: &str, operands: &[f64]) -> Result<f64, String> {
    let result = match (operation, operands) {
        ("add", all) => all.iter().sum(),
        ("multiply", all) => all.iter().product(),
        ("subtract", [first, rest @ ..]) => first - rest.iter().sum::<f64>(),
        ("divide", [first, rest @ ..]) if !rest.is_empty() => {
            if rest.contains(&0.0) {
                return Err("Division by zero".into());
            }
            rest.iter().fold(*first, |result, operand| result / operand)
        }
        ("power", [base, exponent]) => {
            if exponent.abs() > 1000.0 {
                return Err("The exponent is beyond 1000".into());
            }
            base.powf(*exponent)
        }
        ("sqrt", [operand]) if *operand < 0.0 => {
            return Err("Square root of a negative number".into());
        }
        ("sqrt", [operand]) => operand.sqrt(),
        ("subtract", _) => return Err(takes(operation, "1 or more operands", operands)),
        ("divide", _) => return Err(takes(operation, "2 or more operands", operands)),
        ("power", _) => return Err(takes(operation, "2 operands", operands)),
        ("sqrt", _) => return Err(takes(operation, "1 operand", operands)),
        _ => return Err(format!("Unknown operation: {operation}")),
    };
    // JSON has no infinity and no NaN.
    if result.is_finite() {
        Ok(result)
    } else {
        Err("The result is not a real number".into())
    }
}

fn takes(operation: &str, count: &str, operands: &[f64]) -> String {
    format!("{operation} takes {count}, not {}", operands.len())
}

#[cfg(test)]
mod tests {
    use super::calculate;

    #[test]
    fn operations_take_their_operands() {
        assert_eq!(calculate("add", &[]), Ok(0.0));
        assert_eq!(calculate("subtract", &[10.0, 5.0, 1.0]), Ok(4.0));
        assert_eq!(calculate("divide", &[12.0, 2.0, 3.0]), Ok(2.0));
        assert_eq!(calculate("sqrt", &[16.0]), Ok(4.0));
    }

    #[test]
    fn what_cannot_be_computed_is_told() {
        let error = |operation, operands| calculate(operation, operands).unwrap_err();
        assert_eq!(error("divide", &[1.0, 0.0]), "Division by zero");
        assert_eq!(
            error("divide", &[1.0]),
            "divide takes 2 or more operands, not 1"
        );
        assert_eq!(error("sqrt", &[-1.0]), "Square root of a negative number");
        assert_eq!(
            error("power", &[-8.0, 0.5]),
            "The result is not a real number"
        );
        assert_eq!(error("nope", &[]), "Unknown operation: nope");
    }
}
