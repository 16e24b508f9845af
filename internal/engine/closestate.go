package engine

import "fmt"

// closeState is how far the end of a connection has come. The loop owns it, and
// shard.transition alone changes it, by this table. It only moves forward. An event
// that is not listed for a state is ignored where it may have been on its way, in
// the states after peerClosed; elsewhere it is a bug, which ConsistencyCheck reports.
//
//	event         in state         next state       action
//
//	onOpen        opening          open             none
//	              peerClosedEarly  peerClosed       none
//	onClose       opening          closing          sendClose
//	              peerClosedEarly  flushing         sendClose
//	              open             closing          sendClose
//	              peerClosed       flushing         sendClose
//	              broken           dead             markDead
//	onAbort       opening          flushing         sendClose
//	              peerClosedEarly  flushing         sendClose
//	              open             flushing         sendClose
//	              peerClosed       flushing         sendClose
//	              broken           dead             markDead
//	              closing          flushing         none
//	onPeerClose   opening          peerClosedEarly  awaitHandler
//	              open             peerClosed       awaitHandler
//	              broken           dead             markDead
//	              closing          flushing         none
//	onCaughtUp    peerClosedEarly  flushing         sendClose
//	              peerClosed       flushing         sendClose
//	onFlushed     flushing         lingering        shutdownWrite
//	onInputEnd    opening          dead             markDead
//	              peerClosedEarly  peerClosedEarly  stopReading
//	              open             dead             markDead
//	              peerClosed       peerClosed       stopReading
//	              broken           dead             markDead
//	              closing          flushing         stopReading
//	              flushing         flushing         stopReading
//	              lingering        dead             markDead
//	onWriteFail   opening          broken           stopWriting
//	              peerClosedEarly  dead             markDead
//	              open             broken           stopWriting
//	              peerClosed       dead             markDead
//	              closing          dead             markDead
//	              flushing         dead             markDead
//	              lingering        dead             markDead
//	onDisconnect  opening          dead             markDead
//	              peerClosedEarly  dead             markDead
//	              open             dead             markDead
//	              peerClosed       dead             markDead
//	              broken           dead             markDead
//	              closing          dead             markDead
//	              flushing         dead             markDead
//	              lingering        dead             markDead
//	onTimeout     broken           dead             markDead
//	              closing          dead             markDead
//	              flushing         dead             markDead
//	              lingering        dead             markDead
type closeState uint8

const (
	opening         closeState = iota // messages are held back until Open
	peerClosedEarly                   // opening; the peer has closed, the handler is behind
	open                              // messages are written
	peerClosed                        // open; the peer has closed, the handler is behind
	broken                            // writing has failed; what the client sent before is still read
	closing                           // our close frame is written; the peer's is awaited
	flushing                          // the last bytes are written; then our direction ends
	lingering                         // our direction has ended; the peer's end is awaited
	dead                              // the socket is closed at the end of this loop iteration
	closeStates
)

// closeEvent is what moves a connection to its next closeState.
type closeEvent uint8

const (
	onOpen       closeEvent = iota // Conn.Open was called
	onClose                        // the application closes the connection
	onAbort                        // the engine closes it, and awaits no answer
	onPeerClose                    // a close frame was read, or a violation of the protocol
	onCaughtUp                     // the handler has taken what came before that, or had CloseTimeout to
	onFlushed                      // nothing waits to be written
	onInputEnd                     // the peer's stream has ended
	onWriteFail                    // the socket takes nothing more
	onDisconnect                   // nothing can be read any more
	onTimeout                      // the time of a broken or closing connection is over
	closeEvents
)

// closeAction is what shard.transition does in the next state.
type closeAction uint8

const (
	invalid       closeAction = iota // the event is ignored, or a bug
	none                             // nothing
	awaitHandler                     // let the handler answer what came before the peer's end
	sendClose                        // write a close frame
	stopReading                      // the poller would report the end of the stream again and again
	stopWriting                      // drop what waits to be written
	shutdownWrite                    // end our direction of the stream
	markDead                         // close the socket at the end of this loop iteration
)

type closeStep struct {
	next closeState
	do   closeAction
}

var (
	die         = closeStep{dead, markDead}
	transitions = [closeStates][closeEvents]closeStep{
		opening: {
			onOpen: {open, none}, onClose: {closing, sendClose}, onAbort: {flushing, sendClose},
			onPeerClose: {peerClosedEarly, awaitHandler}, onInputEnd: die, onWriteFail: {broken, stopWriting}, onDisconnect: die,
		},
		peerClosedEarly: {
			onOpen: {peerClosed, none}, onClose: {flushing, sendClose}, onAbort: {flushing, sendClose},
			onCaughtUp: {flushing, sendClose}, onInputEnd: {peerClosedEarly, stopReading}, onWriteFail: die, onDisconnect: die,
		},
		open: {
			onClose: {closing, sendClose}, onAbort: {flushing, sendClose},
			onPeerClose: {peerClosed, awaitHandler}, onInputEnd: die, onWriteFail: {broken, stopWriting}, onDisconnect: die,
		},
		peerClosed: {
			onClose: {flushing, sendClose}, onAbort: {flushing, sendClose},
			onCaughtUp: {flushing, sendClose}, onInputEnd: {peerClosed, stopReading}, onWriteFail: die, onDisconnect: die,
		},
		broken: {onClose: die, onAbort: die, onPeerClose: die, onInputEnd: die, onDisconnect: die, onTimeout: die},
		closing: {
			onAbort: {flushing, none}, onPeerClose: {flushing, none},
			onInputEnd: {flushing, stopReading}, onWriteFail: die, onDisconnect: die, onTimeout: die,
		},
		flushing: {
			onFlushed: {lingering, shutdownWrite}, onInputEnd: {flushing, stopReading},
			onWriteFail: die, onDisconnect: die, onTimeout: die,
		},
		lingering: {onInputEnd: die, onWriteFail: die, onDisconnect: die, onTimeout: die},
	}
)

// holdsBack reports whether messages wait for Open.
func (s closeState) holdsBack() bool { return s <= peerClosedEarly }

// writes reports whether messages are written as they come.
func (s closeState) writes() bool { return s == open || s == peerClosed }

// takesMessages reports whether messages are held back or written; others are dropped.
func (s closeState) takesMessages() bool { return s <= peerClosed }

// peerEnded reports whether the peer has closed, and the handler is behind.
func (s closeState) awaitsHandler() bool { return s == peerClosedEarly || s == peerClosed }

// receives reports whether the handler gets what the client sends.
func (s closeState) receives() bool { return s == opening || s == open || s == broken }

// discardsInput reports whether nothing that the client sends counts any more.
func (s closeState) discardsInput() bool { return !s.receives() && s != closing }

func (s closeState) String() string {
	return [...]string{"opening", "peerClosedEarly", "open", "peerClosed", "broken", "closing", "flushing", "lingering", "dead"}[s]
}

func (e closeEvent) String() string {
	return [...]string{"onOpen", "onClose", "onAbort", "onPeerClose", "onCaughtUp", "onFlushed", "onInputEnd", "onWriteFail", "onDisconnect", "onTimeout"}[e]
}

// step returns what follows an event in a state. An event that comes late changes
// nothing; the error is that of an event that cannot come.
func (s closeState) step(ev closeEvent) (closeStep, error) {
	step := transitions[s][ev]
	if step.do == invalid && s <= peerClosed {
		return step, fmt.Errorf("%s in state %s", ev, s)
	}
	return step, nil
}
