package api

import (
	"boundary-app.org/realtime"
)

// Codes returns the status of each code.
func Codes() map[string]int {
	all := map[string]int{}
	for c, status := range statuses {
		all[string(c)] = status
	}
	return all
}

// Routes returns the operations of the route table as "GET /v1/topics".
func Routes(svc *realtime.Service) (operations []string) {
	for _, rt := range newAPI(svc, Options{}).routes() {
		operations = append(operations, rt.method+" "+rt.path)
	}
	return operations
}
