// Package engine knows who is connected and who hears what, and writes to
// sockets.
//
// A connection lives on one shard. The shard's loop, a single goroutine, owns
// the connection's socket, its protocol state and the shard's lists of group
// members, so that nothing on the path of a message takes a lock. Everybody
// else speaks to a loop through its inbox.
//
// Who belongs to which group is also kept in an index behind striped locks:
// from it a send learns, without waiting for any loop, which shards to post to
// and how many recipients there are. An index change and the task it posts
// happen under the stripe's lock, so that every loop sees joins, leaves and
// messages of a group in the index's order.
//
// Order: whatever one goroutine sends arrives at a connection in that order,
// also across groups. Locks nest one way only: Conn.mu, then a stripe, then an
// inbox; none is held while a handler runs. Engine.evicting is taken before all
// of them, by the goroutine that registers or opens a connection: no loop ever
// waits for it.
package engine
