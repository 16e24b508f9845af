package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"
)

type connectionsCommand struct {
	User  *string `placeholder:"USER" help:"Only connections of this user."`
	Role  *string `placeholder:"ROLE" help:"Only connections whose user has this role."`
	Topic *string `placeholder:"TOPIC" help:"Only connections that are subscribed to this topic."`
	outputFlags
	apiFlags
}

// Help returns the help text.
func (connectionsCommand) Help() string {
	return "Lists the connections of the answering node. " + keyHelp + "\n\nboundary-realtime connections --user u1"
}

// Run lists connections.
func (c *connectionsCommand) Run(ctx context.Context, p *program) error {
	query := url.Values{}
	for name, value := range map[string]*string{"user": c.User, "role": c.Role, "topic": c.Topic} {
		if value != nil {
			query.Set(name, *value)
		}
	}
	t := table{path: "/v1/connections", query: query, name: "connections", columns: "ID\tUSER\tROLES\tTOPICS\tSINCE", row: connectionRow}
	return t.print(ctx, p, c.apiFlags, c.outputFlags)
}

func connectionRow(entry json.RawMessage) (string, error) {
	var c struct {
		ID, UserID    string
		Roles, Topics []string
		CreatedAt     time.Time
	}
	err := json.Unmarshal(entry, &c)
	return strings.Join([]string{
		c.ID, c.UserID, cmp.Or(strings.Join(c.Roles, ","), "-"), cmp.Or(strings.Join(c.Topics, ","), "-"), c.CreatedAt.UTC().Format(time.RFC3339),
	}, "\t"), err
}

type topicsCommand struct {
	Prefix string `placeholder:"TEXT" help:"Only topics with this prefix."`
	outputFlags
	apiFlags
}

// Help returns the help text.
func (topicsCommand) Help() string {
	return "Lists the topics with subscribers on the answering node. " + keyHelp + "\n\nboundary-realtime topics --prefix order:"
}

// Run lists topics with the number of their subscribers.
func (c *topicsCommand) Run(ctx context.Context, p *program) error {
	query := url.Values{}
	if c.Prefix != "" {
		query.Set("prefix", c.Prefix)
	}
	t := table{path: "/v1/topics", query: query, name: "topics", columns: "TOPIC\tSUBSCRIBERS", row: topicRow}
	return t.print(ctx, p, c.apiFlags, c.outputFlags)
}

func topicRow(entry json.RawMessage) (string, error) {
	var t struct {
		Topic       string
		Subscribers int
	}
	err := json.Unmarshal(entry, &t)
	return fmt.Sprintf("%s\t%d", t.Topic, t.Subscribers), err
}

// table is a list of the API and its form for people.
type table struct {
	path    string
	query   url.Values
	name    string // of the array in the answer
	columns string // separated by tabs, as rows are
	row     func(entry json.RawMessage) (string, error)
}

// print writes a table for people or, with --json, one object on each line.
func (t *table) print(ctx context.Context, p *program, flags apiFlags, output outputFlags) error {
	client, err := flags.client(ctx, p)
	if err != nil {
		return err
	}
	out, finish := io.Writer(p.stdout), func() error { return nil }
	if !output.JSON {
		aligned := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
		out, finish = aligned, aligned.Flush
		if _, err := fmt.Fprintln(out, t.columns); err != nil {
			return err
		}
	}
	err = client.List(ctx, t.path, t.query, t.name, func(entry json.RawMessage) error {
		line := string(entry)
		if !output.JSON {
			if line, err = t.row(entry); err != nil {
				return err
			}
		}
		_, err := fmt.Fprintln(out, line)
		return err
	})
	if err != nil {
		return fmt.Errorf("%s: %w", t.name, err)
	}
	return finish()
}
