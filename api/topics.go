package api

import (
	"net/http"
	"slices"
	"strings"

	"boundary-app.org/realtime/wire"
)

type topicList struct {
	Topics []topicInfo `json:"topics"`
	Total  int         `json:"total"`
	Next   string      `json:"next,omitempty"`
}

type topicInfo struct {
	Topic       string `json:"topic"`
	Subscribers int    `json:"subscribers"`
}

// topics lists the topics that have subscribers on this node, sorted.
func (a *api) topics(r *http.Request) (any, error) {
	q, err := parseQuery(r)
	if err != nil {
		return nil, err
	}
	list := topicList{}
	behind := []topicInfo{}
	for _, t := range a.svc.Topics() {
		if !strings.HasPrefix(t.Topic, q.values.Get("prefix")) {
			continue
		}
		list.Total++
		if t.Topic > q.after {
			behind = append(behind, topicInfo(t))
		}
	}
	list.Topics, list.Next = page(q, behind, func(t topicInfo) string { return t.Topic })
	return list, nil
}

type subscriberList struct {
	Subscribers []string `json:"subscribers"`
	Total       int      `json:"total"`
	Next        string   `json:"next,omitempty"`
}

// subscribers lists the ids of the connections on this node that are subscribed to a
// topic, sorted.
func (a *api) subscribers(r *http.Request) (any, error) {
	q, err := parseQuery(r)
	if err != nil {
		return nil, err
	}
	topic := r.PathValue("topic")
	if err := wire.CheckTopic(topic); err != nil {
		return nil, err
	}
	ids := a.svc.TopicSubscribers(topic)
	list := subscriberList{Total: len(ids)}
	first, found := slices.BinarySearch(ids, q.after)
	if found {
		first++
	}
	list.Subscribers, list.Next = page(q, ids[first:], func(id string) string { return id })
	return list, nil
}
