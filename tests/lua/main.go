// Runs health checks with the interpreter that Argo CD runs them with, with as few of Lua's libraries open.
//
// Each line of standard input is a JSON object {"script", "object"}; each line of output is the JSON of what the script returns, or
// a string that says what is wrong.
package main

import (
	"bufio"
	"encoding/json"
	"os"

	lua "github.com/yuin/gopher-lua"
)

func main() {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 64<<20)
	encoder := json.NewEncoder(os.Stdout)
	for in.Scan() {
		var line struct {
			Script string
			Object any
		}
		if err := json.Unmarshal(in.Bytes(), &line); err != nil {
			panic(err)
		}
		health, err := run(line.Script, line.Object)
		if err != nil {
			encoder.Encode("error: " + err.Error())
			continue
		}
		encoder.Encode(health)
	}
}

func run(script string, object any) (map[string]string, error) {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for _, library := range []struct {
		name string
		open lua.LGFunction
	}{{lua.LoadLibName, lua.OpenPackage}, {lua.BaseLibName, lua.OpenBase}, {lua.TabLibName, lua.OpenTable}} {
		if err := state.CallByParam(lua.P{Fn: state.NewFunction(library.open), Protect: true}, lua.LString(library.name)); err != nil {
			return nil, err
		}
	}
	state.SetGlobal("obj", value(state, object))
	if err := state.DoString(script); err != nil {
		return nil, err
	}
	health := map[string]string{}
	if table, ok := state.Get(-1).(*lua.LTable); ok {
		table.ForEach(func(key, value lua.LValue) { health[key.String()] = value.String() })
	}
	return health, nil
}

func value(state *lua.LState, from any) lua.LValue {
	switch from := from.(type) {
	case nil:
		return lua.LNil
	case bool:
		return lua.LBool(from)
	case float64:
		return lua.LNumber(from)
	case string:
		return lua.LString(from)
	case []any:
		table := state.NewTable()
		for _, item := range from {
			table.Append(value(state, item))
		}
		return table
	case map[string]any:
		table := state.NewTable()
		for name, item := range from {
			table.RawSetString(name, value(state, item))
		}
		return table
	}
	panic("no JSON")
}
