package config

import (
	"fmt"
	"reflect"
)

// Flags are the settings as flags of a command line.
type Flags struct {
	target reflect.Value // pointer to a struct with one field a setting
	names  []string      // of the settings, in the order of the fields
}

// NewFlags returns flags that have not been given.
func NewFlags() Flags {
	var f Flags
	var fields []reflect.StructField
	titles := groupTitles()
	for i, s := range settings {
		if s.secret() {
			continue
		}
		f.names = append(f.names, s.name)
		fields = append(fields, flagField(len(fields), s, titles[i]))
	}
	f.target = reflect.New(reflect.StructOf(fields))
	return f
}

func flagField(i int, s setting, group string) reflect.StructField {
	kind := reflect.TypeFor[*string]()
	tag := fmt.Sprintf(`name:%q help:%q group:%q`, s.flag(), s.help+" ($"+s.env()+").", group+":")
	if _, isToggle := s.field(new(Config)).(toggle); isToggle {
		kind = reflect.TypeFor[*bool]()
		tag += ` negatable:""`
	} else {
		tag += fmt.Sprintf(` placeholder:%q`, placeholder(s.preset))
	}
	return reflect.StructField{Name: fmt.Sprintf("Flag%d", i), Type: kind, Tag: reflect.StructTag(tag)}
}

func placeholder(preset string) string {
	if preset == "" {
		return "..."
	}
	return preset
}

// Target returns a pointer to a struct with a field for each flag, for kong to
// fill.
func (f Flags) Target() any { return f.target.Interface() }

// Values returns the flags that were given, by the name of their setting.
func (f Flags) Values() map[string]string {
	given := map[string]string{}
	for i, name := range f.names {
		if field := f.target.Elem().Field(i); !field.IsNil() {
			given[name] = fmt.Sprint(field.Elem().Interface())
		}
	}
	return given
}
