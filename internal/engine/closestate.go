package engine

import "fmt"

// closeState is how far the end of a connection has come. The loop owns it, and
// shard.transition alone changes it, by this table. It only moves forward. An event
// that is not listed for a state is ignored where it may have been on its way, in
// the states after ended; elsewhere it is a bug, which ConsistencyCheck reports.
//
//	event         in state      next state    action
//
//	onOpen        opening       open          none
//	              openingEnded  ended         none
//	onClose       opening       closing       sendClose
//	              openingEnded  flushing      sendClose
//	              open          closing       sendClose
//	              ended         flushing      sendClose
//	              broken        gone          markDead
//	onAbort       opening       flushing      sendClose
//	              openingEnded  flushing      sendClose
//	              open          flushing      sendClose
//	              ended         flushing      sendClose
//	              broken        gone          markDead
//	              closing       flushing      none
//	onPeerEnd     opening       openingEnded  awaitHandler
//	              open          ended         awaitHandler
//	              broken        gone          markDead
//	              closing       flushing      none
//	onCaughtUp    openingEnded  flushing      sendClose
//	              ended         flushing      sendClose
//	onFlushed     flushing      lingering     shutdownWrite
//	onInputEnd    opening       gone          markDead
//	              openingEnded  openingEnded  stopReading
//	              open          gone          markDead
//	              ended         ended         stopReading
//	              broken        gone          markDead
//	              closing       flushing      stopReading
//	              flushing      flushing      stopReading
//	              lingering     gone          markDead
//	onWriteFail   opening       broken        stopWriting
//	              openingEnded  gone          markDead
//	              open          broken        stopWriting
//	              ended         gone          markDead
//	              closing       gone          markDead
//	              flushing      gone          markDead
//	              lingering     gone          markDead
//	onDisconnect  opening       gone          markDead
//	              openingEnded  gone          markDead
//	              open          gone          markDead
//	              ended         gone          markDead
//	              broken        gone          markDead
//	              closing       gone          markDead
//	              flushing      gone          markDead
//	              lingering     gone          markDead
//	onTimeout     broken        gone          markDead
//	              closing       gone          markDead
//	              flushing      gone          markDead
//	              lingering     gone          markDead
type closeState uint8

const (
	opening      closeState = iota // messages are held back until Open
	openingEnded                   // opening; the peer has ended, the handler is behind
	open                           // messages are written
	ended                          // open; the peer has ended, the handler is behind
	broken                         // writing has failed; what the client sent before is still read
	closing                        // our close frame is written; the peer's is awaited
	flushing                       // the last bytes are written; then our direction ends
	lingering                      // our direction has ended; the peer's end is awaited
	gone                           // the socket is closed at the end of this loop iteration
	closeStates
)

// closeEvent is what moves a connection to its next closeState.
type closeEvent uint8

const (
	onOpen       closeEvent = iota // Conn.Open was called
	onClose                        // the application closes the connection
	onAbort                        // the engine closes it, and awaits no answer
	onPeerEnd                      // a close frame was read, or a violation of the protocol
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
	die         = closeStep{gone, markDead}
	transitions = [closeStates][closeEvents]closeStep{
		opening: {
			onOpen: {open, none}, onClose: {closing, sendClose}, onAbort: {flushing, sendClose},
			onPeerEnd: {openingEnded, awaitHandler}, onInputEnd: die, onWriteFail: {broken, stopWriting}, onDisconnect: die,
		},
		openingEnded: {
			onOpen: {ended, none}, onClose: {flushing, sendClose}, onAbort: {flushing, sendClose},
			onCaughtUp: {flushing, sendClose}, onInputEnd: {openingEnded, stopReading}, onWriteFail: die, onDisconnect: die,
		},
		open: {
			onClose: {closing, sendClose}, onAbort: {flushing, sendClose},
			onPeerEnd: {ended, awaitHandler}, onInputEnd: die, onWriteFail: {broken, stopWriting}, onDisconnect: die,
		},
		ended: {
			onClose: {flushing, sendClose}, onAbort: {flushing, sendClose},
			onCaughtUp: {flushing, sendClose}, onInputEnd: {ended, stopReading}, onWriteFail: die, onDisconnect: die,
		},
		broken: {onClose: die, onAbort: die, onPeerEnd: die, onInputEnd: die, onDisconnect: die, onTimeout: die},
		closing: {
			onAbort: {flushing, none}, onPeerEnd: {flushing, none},
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
func (s closeState) holdsBack() bool { return s <= openingEnded }

// writes reports whether messages are written as they come.
func (s closeState) writes() bool { return s == open || s == ended }

// takesMessages reports whether messages are held back or written; others are dropped.
func (s closeState) takesMessages() bool { return s <= ended }

// peerEnded reports whether the end that the peer has brought about waits for the handler.
func (s closeState) peerEnded() bool { return s == openingEnded || s == ended }

// receives reports whether the handler gets what the client sends.
func (s closeState) receives() bool { return s == opening || s == open || s == broken }

// discardsInput reports whether nothing that the client sends counts any more.
func (s closeState) discardsInput() bool { return !s.receives() && s != closing }

func (s closeState) String() string {
	return [...]string{"opening", "openingEnded", "open", "ended", "broken", "closing", "flushing", "lingering", "gone"}[s]
}

func (e closeEvent) String() string {
	return [...]string{"onOpen", "onClose", "onAbort", "onPeerEnd", "onCaughtUp", "onFlushed", "onInputEnd", "onWriteFail", "onDisconnect", "onTimeout"}[e]
}

// step returns what follows an event in a state. An event that comes late changes
// nothing; the error is that of an event that cannot come.
func (s closeState) step(ev closeEvent) (closeStep, error) {
	step := transitions[s][ev]
	if step.do == invalid && s <= ended {
		return step, fmt.Errorf("%s in state %s", ev, s)
	}
	return step, nil
}
