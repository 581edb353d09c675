// Asks a JSON Schema validator written in Go which files a schema refuses.
//
// It reads {"schema": ..., "files": {name: content}} and writes the names of the files that are refused, as a list.
package main

import (
	"encoding/json"
	"log"
	"os"
	"sort"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

func main() {
	log.SetFlags(0)
	asked, err := jsonschema.UnmarshalJSON(os.Stdin)
	if err != nil {
		log.Fatal(err)
	}
	question := asked.(map[string]any)
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource("schema.json", question["schema"]); err != nil {
		log.Fatal(err)
	}
	schema, err := compiler.Compile("schema.json")
	if err != nil {
		log.Fatal(err)
	}
	refused := []string{}
	for name, content := range question["files"].(map[string]any) {
		if schema.Validate(content) != nil {
			refused = append(refused, name)
		}
	}
	sort.Strings(refused)
	if err := json.NewEncoder(os.Stdout).Encode(refused); err != nil {
		log.Fatal(err)
	}
}
