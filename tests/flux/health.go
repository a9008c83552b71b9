package main

import (
	"fmt"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/ext"
)

// expressions are those of a kind in a Kustomization's healthCheckExprs.
type expressions struct{ InProgress, Failed, Current string }

// status evaluates expressions as Flux does (fluxcd/pkg/runtime/cel): in an environment like its own, without types, and in the order of
// RFC-0009; first of all it looks whether the last change has been seen. Its own package would take client-go along.
func (e expressions) status(object map[string]any) (string, error) {
	if status, ok := object["status"].(map[string]any); ok {
		metadata, _ := object["metadata"].(map[string]any)
		if observed, ok := status["observedGeneration"].(int64); ok && observed != metadata["generation"] {
			return "InProgress", nil
		}
	}
	for _, each := range []struct{ text, status string }{{e.InProgress, "InProgress"}, {e.Failed, "Failed"}, {e.Current, "Current"}} {
		if each.text == "" {
			continue
		}
		holds, err := evaluate(each.text, object)
		if err != nil {
			return "", err
		}
		if holds {
			return each.status, nil
		}
	}
	return "InProgress", nil
}

func evaluate(text string, object map[string]any) (bool, error) {
	env, err := cel.NewEnv(
		cel.HomogeneousAggregateLiterals(),
		cel.EagerlyValidateDeclarations(true),
		cel.DefaultUTCTimeZone(true),
		cel.CrossTypeNumericComparisons(true),
		cel.OptionalTypes(),
		ext.Strings(),
		ext.Sets(),
		ext.Encoders(),
	)
	if err != nil {
		return false, err
	}
	parsed, issues := env.Parse(text)
	if issues.Err() != nil {
		return false, issues.Err()
	}
	program, err := env.Program(parsed, cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		return false, err
	}
	value, _, err := program.Eval(object)
	if err != nil {
		return false, err
	}
	holds, ok := value.Value().(bool)
	if !ok {
		return false, fmt.Errorf("%s is no boolean", text)
	}
	return holds, nil
}
