package api

import "boundary-app.org/realtime"

// Routes returns the operations of the route table as "GET /v1/topics".
func Routes(svc *realtime.Service) (operations []string) {
	for _, rt := range newAPI(svc, Options{}).routes() {
		operations = append(operations, rt.method+" "+rt.path)
	}
	return operations
}
