//! Enumerations as AWS's models have them, apart from how a protocol reads and writes them.

/// An enumeration, the words of its values, and back.
macro_rules! values {
    ($name:ident { $($variant:ident = $value:literal,)* }) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($variant,)* }

        impl $name {
            /// The value on the wire.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $value,)* }
            }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
        impl std::str::FromStr for $name {
            type Err = ();
            fn from_str(text: &str) -> Result<Self, ()> {
                match text { $($value => Ok(Self::$variant),)* _ => Err(()) }
            }
        }
    };
}
pub(crate) use values;
